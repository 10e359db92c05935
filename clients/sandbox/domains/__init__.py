"""FunnelFlux Pro, custom domains, emulated: its six calls, its bearers, and the road to a live hostname."""
