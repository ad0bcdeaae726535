"""The four endpoints, called as portals call them, with real databases behind them."""
