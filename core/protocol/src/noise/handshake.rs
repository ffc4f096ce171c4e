//! The XX handshake, our side (spec: section 2.3).
//!
//! ```text
//! ->  clientHello  { ephemeral }
//! <-  serverHello  { ephemeral, static, payload: certificate chain }
//! ->  clientFinish { static, payload: ClientPayload }
//! ```
//! One type per stage: what a stage knows exists from its construction on.

use prost::Message;
use snow::{Builder, HandshakeState};

use super::LinkError;
use super::cert::{self, Trust};
use super::resolver::Resolver;
use super::transport::Transport;
use crate::crypto::curve::KeyPair;
use crate::pb::{ClientFinish, ClientHello, HandshakeMessage, ServerHello};
use crate::secret::{Entropy, Secret};

/// Mixed into the first hash; also what opens the stream: `WA`, protocol 6, dictionary 3.
pub(super) const PROLOGUE: [u8; 4] = *b"WA\x06\x03";

const PATTERN: &str = "Noise_XX_25519_AESGCM_SHA256";
const KEY: usize = 32;
const TAG: usize = 16;

/// Our hello is out; the server's is awaited.
pub(super) struct AwaitingHello {
    noise: HandshakeState,
}

/// The server's hello was decrypted; nobody is trusted yet.
struct Answered {
    noise: HandshakeState,
    server_static: [u8; KEY],
    certificate: Vec<u8>,
}

impl AwaitingHello {
    /// The stage and the message that starts it.
    pub(super) fn start(
        static_key: &KeyPair,
        rng: &mut dyn Entropy,
    ) -> Result<(Self, Vec<u8>), LinkError> {
        let resolver = Resolver {
            ephemeral: Secret::random(rng),
        };
        let mut noise = Builder::with_resolver(PATTERN.parse()?, Box::new(resolver))
            .local_private_key(static_key.private.expose())?
            .prologue(&PROLOGUE)?
            .build_initiator()?;
        // snow asks for room for a tag even where there is none.
        let mut ephemeral = vec![0; KEY + TAG];
        let len = noise.write_message(&[], &mut ephemeral)?;
        ephemeral.truncate(len);
        let hello = HandshakeMessage {
            client_hello: Some(ClientHello {
                ephemeral: Some(ephemeral),
                ..Default::default()
            }),
            ..Default::default()
        };
        Ok((Self { noise }, hello.encode_to_vec()))
    }

    /// Reads the server's hello, checks who it is, and gives the last message and the keys.
    pub(super) fn finish(
        self,
        hello: &[u8],
        trust: &Trust,
        payload: &[u8],
    ) -> Result<(Vec<u8>, Transport), LinkError> {
        let answered = self.read(hello)?;
        cert::verify(&answered.certificate, &answered.server_static, trust)?;
        answered.write(payload)
    }

    fn read(mut self, hello: &[u8]) -> Result<Answered, LinkError> {
        let hello = HandshakeMessage::decode(hello)
            .ok()
            .and_then(|message| message.server_hello)
            .ok_or(LinkError::Malformed("the server's hello"))?;
        let ServerHello {
            ephemeral: Some(ephemeral),
            r#static: Some(static_key),
            payload: Some(payload),
            ..
        } = hello
        else {
            return Err(LinkError::Malformed("a part of the server's hello"));
        };
        if ephemeral.len() != KEY || static_key.len() != KEY + TAG {
            return Err(LinkError::Malformed("a key in the server's hello"));
        }
        let message = [ephemeral, static_key, payload].concat();
        let mut certificate = vec![0; message.len()];
        let len = self.noise.read_message(&message, &mut certificate)?;
        certificate.truncate(len);
        let server_static = self
            .noise
            .get_remote_static()
            .and_then(|key| key.try_into().ok())
            .ok_or(LinkError::Malformed("the server's static key"))?;
        Ok(Answered {
            noise: self.noise,
            server_static,
            certificate,
        })
    }
}

impl Answered {
    fn write(mut self, payload: &[u8]) -> Result<(Vec<u8>, Transport), LinkError> {
        let mut message = vec![0; KEY + TAG + payload.len() + TAG];
        let len = self.noise.write_message(payload, &mut message)?;
        message.truncate(len);
        let sealed_payload = message.split_off(KEY + TAG);
        let finish = HandshakeMessage {
            client_finish: Some(ClientFinish {
                r#static: Some(message),
                payload: Some(sealed_payload),
                ..Default::default()
            }),
            ..Default::default()
        };
        let (write, read) = self.noise.dangerously_get_raw_split();
        let transport = Transport::new(Secret::new(write), Secret::new(read));
        Ok((finish.encode_to_vec(), transport))
    }
}

impl From<snow::Error> for LinkError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Decrypt => Self::Decrypt,
            snow::Error::Dh => Self::WeakKey,
            snow::Error::Input => Self::Malformed("a handshake message over 65535 bytes"),
            _ => Self::Bug("the handshake went out of step"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::crypto::curve::PrivateKey;

    struct Fixed(Vec<u8>);

    impl Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.copy_from_slice(&self.0);
        }
    }

    fn case(name: &str) -> Value {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/vectors/noise.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        cases
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
            .clone()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    fn key(bytes: &[u8]) -> KeyPair {
        KeyPair::from_private(PrivateKey::from_slice(bytes).unwrap())
    }

    fn server_hello(case: &Value) -> Vec<u8> {
        let hello = ServerHello {
            ephemeral: Some(bytes(&case["server_eph_pub"])),
            r#static: Some(bytes(&case["ciphertext_for_decrypt_1"])),
            payload: Some(bytes(&case["ciphertext_for_decrypt_2"])),
            ..Default::default()
        };
        let message = HandshakeMessage {
            server_hello: Some(hello),
            ..Default::default()
        };
        message.encode_to_vec()
    }

    #[test]
    fn the_captured_handshake_gives_the_captured_hashes_and_plaintexts() {
        let case = case("KAT client side of XX up to the certificate");
        let mut rng = Fixed(bytes(&case["client_eph_priv"]));
        let (hello, _) = AwaitingHello::start(&key(&[1; 32]), &mut rng).unwrap();
        let hash = |noise: &HandshakeState| hex::encode(noise.get_handshake_hash());
        assert_eq!(hash(&hello.noise), case["hash_after_auth_client_eph"]);
        let answered = hello.read(&server_hello(&case)).unwrap();
        assert_eq!(hash(&answered.noise), case["hash_after_decrypt_2"]);
        assert_eq!(
            answered.server_static[..],
            bytes(&case["plaintext_from_decrypt_1"])
        );
        assert_eq!(
            answered.certificate,
            bytes(&case["plaintext_from_decrypt_2"])
        );
    }

    #[test]
    fn a_whole_handshake_of_another_implementation_is_repeated_byte_for_byte() {
        let case = case("own full XX");
        let mut rng = Fixed(bytes(&case["client_ephemeral_priv"]));
        let static_key = key(&bytes(&case["client_static_priv"]));
        let (hello, first) = AwaitingHello::start(&static_key, &mut rng).unwrap();
        assert_eq!(first, bytes(&case["client_hello"]));
        let answered = hello.read(&bytes(&case["server_hello"])).unwrap();
        assert_eq!(answered.certificate, bytes(&case["server_payload"]));
        let (finish, mut transport) = answered.write(&bytes(&case["client_payload"])).unwrap();
        assert_eq!(finish, bytes(&case["client_finish"]));
        for frame in case["transport_client_to_server"].as_array().unwrap() {
            let plain = frame["plaintext"].as_str().unwrap().as_bytes();
            assert_eq!(transport.seal(plain).unwrap(), bytes(&frame["frame"])[3..]);
        }
        for frame in case["transport_server_to_client"].as_array().unwrap() {
            let plain = frame["plaintext"].as_str().unwrap().as_bytes();
            assert_eq!(transport.open(&bytes(&frame["frame"])[3..]).unwrap(), plain);
        }
    }

    #[test]
    fn a_hello_with_wrong_parts_is_malformed_and_a_changed_one_does_not_decrypt() {
        let case = case("KAT client side of XX up to the certificate");
        let read = |hello: &[u8]| {
            let mut rng = Fixed(bytes(&case["client_eph_priv"]));
            let (stage, _) = AwaitingHello::start(&key(&[1; 32]), &mut rng).unwrap();
            stage.read(hello).map(|answered| answered.certificate)
        };
        let sound = server_hello(&case);
        for cut in 0..sound.len() {
            assert!(matches!(read(&sound[..cut]), Err(LinkError::Malformed(_))));
        }
        let mut changed = sound.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(read(&changed), Err(LinkError::Decrypt));
        let bent = |bend: fn(&mut ServerHello)| {
            let mut message = HandshakeMessage::decode(&sound[..]).unwrap();
            bend(message.server_hello.as_mut().unwrap());
            read(&message.encode_to_vec())
        };
        let malformed = |result| matches!(result, Err(LinkError::Malformed(_)));
        assert!(malformed(bent(|hello| hello.payload = None)));
        assert!(malformed(bent(|hello| hello.r#static = Some(vec![0; 32]))));
        assert!(malformed(bent(|hello| hello.ephemeral = Some(vec![0; 33]))));
        let weak = bent(|hello| hello.ephemeral = Some(vec![0; 32]));
        assert_eq!(weak, Err(LinkError::WeakKey));
    }
}
