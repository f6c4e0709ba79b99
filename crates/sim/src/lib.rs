//! Both clouds on localhost, with their limits and their faults, a phone page and an agent page.
