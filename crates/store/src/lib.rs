//! SQL and nothing else: one store on SQLite or PostgreSQL, with its inbox, lanes and attempts.
