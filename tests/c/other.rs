//! Another Rust library of a host: it allocates, unwinds and catches.

/// 1 when the panic below was caught here.
#[unsafe(no_mangle)]
pub extern "C" fn other_catches(n: u32) -> u32 {
    let caught = std::panic::catch_unwind(|| {
        let text: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        std::panic::resume_unwind(Box::new(text.concat()));
    });
    let text = caught.err().and_then(|panic| panic.downcast::<String>().ok());
    u32::from(text.is_some_and(|text| text.starts_with("0123")))
}
