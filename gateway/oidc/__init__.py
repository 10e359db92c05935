"""JWTs of one OpenID Connect issuer, taken instead of a token of ours."""
