"""HTTP on our side: what every request passes on its way in, and how every answer leaves."""
