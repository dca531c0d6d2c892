"""Widgets of the course, one folder or file each. A widget draws and sends messages; it decides nothing."""
