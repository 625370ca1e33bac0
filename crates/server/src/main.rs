//! The binary `sceau`.

fn main() {}
