//! Which server to talk to, and what to say about ourselves.

/// The server and how to recognise it. The default is WhatsApp's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// `wss://..`, or `ws://..` without TLS (tests).
    pub url: String,
    /// Public key that signs the server's intermediate certificate: 32 bytes, raw X25519.
    pub root_key: [u8; 32],
    /// How far our clock may be off when certificate validity is checked, in seconds.
    pub clock_tolerance: i64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            url: "wss://web.whatsapp.com/ws/chat".into(),
            root_key: WHATSAPP_ROOT_KEY,
            clock_tolerance: 24 * 3600,
        }
    }
}

/// Headers of the WebSocket upgrade, as the web client sends them.
pub const UPGRADE_HEADERS: &[(&str, &str)] = &[
    ("Origin", "https://web.whatsapp.com"),
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
];

/// WhatsApp's root key, public since the first multi-device clients.
pub const WHATSAPP_ROOT_KEY: [u8; 32] = [
    0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7, 0x1e, 0xbe, 0x51, 0x64, 0x37,
    0xc4, 0xa2, 0x8b, 0x73, 0xe3, 0x69, 0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b,
];

/// How this device presents itself to the server and on the phone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceConfig {
    /// The operating system or program, shown in the phone's list of linked devices.
    pub name: String,
    /// What the list shows it runs in, with its picture.
    pub browser: Browser,
    /// The web build we claim to be: primary, secondary, tertiary. Old builds are refused with 405.
    pub version: [u32; 3],
    /// Put a token on messages by which recipients can prove to the server what was sent. Other
    /// libraries do not by default.
    pub reporting_tokens: bool,
}

/// What a linked device runs in, as the phone shows it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Browser {
    /// Google Chrome.
    #[default]
    Chrome = 0,
    /// Mozilla Firefox.
    Firefox = 1,
    /// Microsoft Edge.
    Edge = 2,
    /// Opera.
    Opera = 3,
    /// Safari.
    Safari = 4,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            name: "sendpath".into(),
            browser: Browser::Chrome,
            version: [2, 3000, 1_045_649_367],
            reporting_tokens: false,
        }
    }
}
