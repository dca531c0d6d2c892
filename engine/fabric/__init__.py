"""What lies between boxes: machines with their NICs, LAN segments (switch boxes), cables and the router.

Reading order: machine.py (a box and the facts it is born with), lan.py (a switch and its plugs), router.py (what
joins the LANs), plan.py (from a lab's machines to LANs, addresses and ops; all input errors come from there).
"""
