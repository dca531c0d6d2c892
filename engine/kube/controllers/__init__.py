"""What kube-controller-manager and the API server keep true by themselves: one file a controller."""
