"""crictl by what it does: base.py (one call), lists.py, images.py, objects.py, acts.py (changes)."""
