//! What happens to a message: every flow as functions and jobs.
