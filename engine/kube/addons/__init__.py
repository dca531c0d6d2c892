"""What a cluster is given on its first day besides kubeadm's own: one file an addon."""
