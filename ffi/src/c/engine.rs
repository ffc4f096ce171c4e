//! `sp_engine`: the store and the threads.

use sendpath_protocol::mex::DocIds;

use super::account::AccountHandle;
use super::bytes::Slice;
use super::error::ErrorObject;
use super::raw::{self, Versioned};
use super::store::{HostStore, StoreTable};
use super::{ACCOUNTS, ENGINES, fork, guard, guard_on};
use crate::facade::{
    AccountConfig, BadProxy, Browser, Engine, EngineConfig, Error, Status, StoreSpec,
};

/// An engine. Zero is none.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct EngineHandle {
    /// Opaque.
    pub handle: u64,
}

/// What an engine is opened with. Set everything to zero, then `struct_size`, then the rest.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct EngineSettings {
    /// `sizeof(sp_engine_config)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// The built-in store: a path or `sqlite:///path` for a file that is created if missing,
    /// `memory:`, or `postgres://..` if the library was built with PostgreSQL. Empty when `store` is
    /// given.
    pub store_uri: Slice,
    /// A store of the host instead; NULL when `store_uri` is given. It is copied.
    pub store: *const StoreTable,
}

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for EngineSettings {
    const FIRST_SIZE: usize = 32;
    const DEFAULT: Self = Self {
        struct_size: 32,
        reserved: 0,
        store_uri: Slice::EMPTY,
        store: std::ptr::null(),
    };
}

/// How an account is opened. Set everything to zero, then `struct_size`; zero means the default.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AccountSettings {
    /// `sizeof(sp_account_config)`.
    pub struct_size: u32,
    /// Events that wait for a slow host; behind that they are dropped and counted.
    pub event_capacity: u32,
    /// The server's URL; WhatsApp's own by default.
    pub url: Slice,
    /// The key that signs the server's certificate: 32 bytes, raw X25519.
    pub root_key: Slice,
    /// Shown in the phone's list of linked devices.
    pub device_name: Slice,
    /// The web build we claim to be. Old builds are refused.
    pub version: [u32; 3],
    /// Not 0: honour the server if it switches tokens on messages off; newest clients do not.
    pub strict_props: i32,
    /// Ids of the GraphQL documents that ask for the timelock, newest first, separated by commas;
    /// empty for the known ones.
    pub timelock_documents: Slice,
    /// The same for the quota of new chats.
    pub capping_documents: Slice,
    /// How far our clock may be off when the server's certificate is checked, in seconds.
    pub clock_tolerance: i64,
    /// Sends without an outcome; more are refused with `SP_STATUS_OUTBOX_FULL`.
    pub max_pending: u32,
    /// Not 0: messages carry a token by which recipients can prove to the server what was sent.
    pub reporting_tokens: i32,
    /// What all connections of the account go through: `http://`, `socks5://` or `socks5h://`, then
    /// `[user:password@]host[:port]`. Empty to connect directly.
    pub proxy: Slice,
    /// What the phone shows the device runs in, an `sp_browser`.
    pub browser: i32,
    /// Zero.
    pub reserved: u32,
}

/// What a linked device runs in, as the phone shows it.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum BrowserNumber {
    /// Google Chrome.
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

// SAFETY: repr(C), a u32 first; integers and raw pointers only.
unsafe impl Versioned for AccountSettings {
    const FIRST_SIZE: usize = 144;
    const DEFAULT: Self = Self {
        struct_size: 144,
        event_capacity: 0,
        url: Slice::EMPTY,
        root_key: Slice::EMPTY,
        device_name: Slice::EMPTY,
        version: [0; 3],
        strict_props: 0,
        timelock_documents: Slice::EMPTY,
        capping_documents: Slice::EMPTY,
        clock_tolerance: 0,
        max_pending: 0,
        reporting_tokens: 0,
        proxy: Slice::EMPTY,
        browser: 0,
        reserved: 0,
    };
}

impl AccountSettings {
    fn config(self) -> Result<AccountConfig, Error> {
        let mut config = AccountConfig::default();
        if let Some(url) = self.url.maybe_text("config.url")? {
            config.server.url = url.into();
        }
        match self.root_key.bytes("config.root_key")? {
            [] => {}
            key => {
                config.server.root_key = key.try_into().map_err(|_| {
                    let message = format!("config.root_key has {} bytes, not 32", key.len());
                    Error::new(Status::InvalidArgument, message)
                })?;
            }
        }
        if let Some(name) = self.device_name.maybe_text("config.device_name")? {
            config.device.name = name.into();
        }
        if self.version != [0; 3] {
            config.device.version = self.version;
        }
        match self.clock_tolerance {
            0 => {}
            seconds if seconds > 0 => config.server.clock_tolerance = seconds,
            seconds => {
                let message = format!("config.clock_tolerance is {seconds}");
                return Err(Error::new(Status::InvalidArgument, message));
            }
        }
        config.documents = documents(self.timelock_documents, self.capping_documents)?;
        config.strict_props = self.strict_props != 0;
        config.device.reporting_tokens = self.reporting_tokens != 0;
        config.event_capacity = above_zero(self.event_capacity);
        config.max_pending = above_zero(self.max_pending);
        config.device.browser = browser(self.browser)?;
        if let Some(proxy) = self.proxy.maybe_text("config.proxy")? {
            let wrong = |error: BadProxy| Error::new(Status::InvalidArgument, error.to_string());
            config.proxy = Some(proxy.parse().map_err(wrong)?);
        }
        Ok(config)
    }
}

fn browser(number: i32) -> Result<Browser, Error> {
    use BrowserNumber as Number;
    let known = [
        (Number::Chrome, Browser::Chrome),
        (Number::Firefox, Browser::Firefox),
        (Number::Edge, Browser::Edge),
        (Number::Opera, Browser::Opera),
        (Number::Safari, Browser::Safari),
    ];
    let found = known.into_iter().find(|(own, _)| *own as i32 == number);
    found.map(|(_, browser)| browser).ok_or_else(|| {
        let message = format!("config.browser is {number}");
        Error::new(Status::InvalidArgument, message)
    })
}

/// A capacity; zero is the default.
pub(super) fn above_zero(number: u32) -> Option<usize> {
    let number = usize::try_from(number).ok();
    number.filter(|number| *number > 0)
}

/// Document ids from two lists with commas; an empty list is the known ids.
pub(super) fn documents(timelock: Slice, capping: Slice) -> Result<DocIds, Error> {
    let ids = |list: Option<&str>, known: Vec<String>| {
        list.map_or(known, |list| list.split(',').map(Into::into).collect())
    };
    let known = DocIds::default();
    Ok(DocIds {
        timelock: ids(
            timelock.maybe_text("config.timelock_documents")?,
            known.timelock,
        ),
        capping: ids(
            capping.maybe_text("config.capping_documents")?,
            known.capping,
        ),
    })
}

/// Opens the store and starts the threads. On failure nothing was started and a store of the host
/// is still the host's.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_engine_open(
    config: *const EngineSettings,
    out: *mut EngineHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard(err, || {
        let out = raw::out(out, "out")?;
        let settings = raw::versioned(config, "config")?;
        let uri = settings.store_uri.maybe_text("config.store_uri")?;
        let (store, ownership) = match (uri, settings.store.is_null()) {
            (Some(uri), true) => (StoreSpec::Uri(uri.into()), None),
            (None, false) => {
                let table = raw::versioned(settings.store, "config.store")?;
                let (store, ownership) = HostStore::new(table)?;
                (StoreSpec::Custom(Box::new(store)), Some(ownership))
            }
            _ => {
                let message = "give either config.store_uri or config.store";
                return Err(Error::new(Status::InvalidArgument, message));
            }
        };
        fork::watch()?;
        let engine = Engine::open(EngineConfig { store })?;
        let handle = ENGINES.insert(engine)?;
        if let Some(ownership) = ownership {
            ownership.take();
        }
        out.set(EngineHandle { handle });
        Ok(())
    })
}

/// Closes every account and the store, ends every open send and joins all threads; the callbacks of
/// open sends have run when it returns. The handle is bad afterwards; handles of its accounts are
/// still to be closed.
#[unsafe(no_mangle)]
pub extern "C" fn sp_engine_close(engine: EngineHandle, err: *mut *mut ErrorObject) -> Status {
    guard(err, || {
        ENGINES.close(engine.handle, |engine| engine.close())
    })
}

/// Opens the account in the slot `name` of the store: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. It
/// stays offline until `sp_account_connect`. `config` may be NULL.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn sp_account_open(
    engine: EngineHandle,
    name: Slice,
    config: *const AccountSettings,
    out: *mut AccountHandle,
    err: *mut *mut ErrorObject,
) -> Status {
    guard_on(&ENGINES, engine.handle, err, |engine| {
        let out = raw::out(out, "out")?;
        let settings = if config.is_null() {
            AccountSettings::DEFAULT
        } else {
            raw::versioned(config, "config")?
        };
        let account = engine.account(name.text("name")?, settings.config()?)?;
        let handle = ACCOUNTS.insert(account)?;
        out.set(AccountHandle { handle });
        Ok(())
    })
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_first_release_fixes_the_sizes() {
        assert_eq!(size_of::<EngineSettings>(), EngineSettings::FIRST_SIZE);
        assert_eq!(size_of::<AccountSettings>(), AccountSettings::FIRST_SIZE);
    }

    #[test]
    fn zero_settings_are_the_defaults_of_the_facade() {
        let config = AccountSettings::DEFAULT.config().unwrap();
        let defaults = AccountConfig::default();
        assert_eq!(config.server, defaults.server);
        assert_eq!(config.device, defaults.device);
        assert_eq!(config.documents, defaults.documents);
        assert_eq!(config.event_capacity, defaults.event_capacity);
        assert_eq!(config.max_pending, defaults.max_pending);
        assert!(!config.strict_props);
    }

    #[test]
    fn every_setting_arrives() {
        let settings = AccountSettings {
            strict_props: 1,
            reporting_tokens: 1,
            capping_documents: Slice::of(b"7"),
            clock_tolerance: 60,
            max_pending: 5,
            ..AccountSettings::DEFAULT
        };
        let config = settings.config().unwrap();
        assert!(config.strict_props);
        assert!(config.device.reporting_tokens);
        assert_eq!(config.documents.capping, ["7"]);
        assert_eq!(config.server.clock_tolerance, 60);
        assert_eq!(config.max_pending, Some(5));
    }

    #[test]
    fn documents_are_listed_with_commas_and_known_by_default() {
        let listed = documents(Slice::of(b"3,2,1"), Slice::EMPTY).unwrap();
        assert_eq!(listed.timelock, ["3", "2", "1"]);
        assert_eq!(listed.capping, DocIds::default().capping);
    }

    #[test]
    fn a_root_key_has_32_bytes() {
        let settings = AccountSettings {
            root_key: Slice::of(&[9; 31]),
            ..AccountSettings::DEFAULT
        };
        let error = settings.config().unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }
}
