"""The full screens: base (what they share), home (the course map), lesson, and the picker (help and palette)."""
