"""Packets as bytes, and the file that tcpdump writes. In reading order: dns.py, encode.py, pcapfile.py."""
