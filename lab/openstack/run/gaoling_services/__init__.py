"""Services of OpenStack that share a process, each with its reason, and the volume driver."""
