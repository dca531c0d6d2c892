"""kube-proxy: one file a mode, over one picture of Services and endpoints (model.py)."""
