//! The whole server against real clients and real peers: see `end_to_end/`.
