"""Services at the API server: defaults.py (what is filled in), allocate.py (addresses and node ports),
kubernetes.py (default/kubernetes and the service range as objects)."""
