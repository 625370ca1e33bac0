//! The binary `sceau`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    net::tls::install_crypto_provider();
    server::cli::run()
}
