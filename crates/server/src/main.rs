//! The binary `sceau`.

fn main() -> std::process::ExitCode {
    net::tls::install_crypto_provider();
    server::cli::run()
}
