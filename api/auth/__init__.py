"""Who the caller is: tokens, and the issuer's keys."""
