"""Programs that accept a connection and may open another. They know sockets, not Kubernetes.

serve.py    the register: a process' program name -> its behaviour
http.py     requests and responses as messages; the http and echo servers
images.py   the catalogue of images: what runs in a container of that name
"""
