"""FunnelFox Billing, emulated: its 25 operations, and the shop behind them."""
