"""kube-scheduler, taken apart: what it keeps of nodes (nodes.py), filters (filters.py), scores (scores.py)."""
