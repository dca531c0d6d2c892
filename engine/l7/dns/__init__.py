"""CoreDNS: a program on sockets that answers by its Corefile. It knows no cluster: it is handed a View of one.

In reading order: corefile.py (the syntax), chain.py (what passes through the chain), then the plugins observe.py
(errors, log, loadbalance), cache.py, rewrite.py, template.py, hosts.py, kubernetes.py, loop.py, forward.py; setup.py
(directives to plugins), server.py (the program). The message itself is engine/linux/wire/dns.py.
"""
