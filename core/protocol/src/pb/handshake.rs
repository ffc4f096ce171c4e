//! The Noise handshake and the server's certificate chain (spec sections 2 and 16).

declare! {
    /// Any of the three handshake messages.
    message HandshakeMessage = "HandshakeMessage" {
        optional message ClientHello client_hello = 2;
        optional message ServerHello server_hello = 3;
        optional message ClientFinish client_finish = 4;
    }

    /// First message, from us.
    message ClientHello = "HandshakeMessage.ClientHello" {
        optional bytes ephemeral = 1;
        optional bytes r#static = 2;
        optional bytes payload = 3;
        optional bool use_extended = 4;
        optional bytes extended_ciphertext = 5;
    }

    /// The server's answer.
    message ServerHello = "HandshakeMessage.ServerHello" {
        optional bytes ephemeral = 1;
        optional bytes r#static = 2;
        optional bytes payload = 3;
        optional bytes extended_static = 4;
    }

    /// Last message, from us.
    message ClientFinish = "HandshakeMessage.ClientFinish" {
        optional bytes r#static = 1;
        optional bytes payload = 2;
        optional bytes extended_ciphertext = 3;
    }

    /// The server's certificates: the root signs the intermediate, that one the leaf.
    message CertChain = "CertChain" {
        optional message NoiseCertificate leaf = 1;
        optional message NoiseCertificate intermediate = 2;
    }

    /// `details` is [`CertificateDetails`], signed as it is.
    message NoiseCertificate = "CertChain.NoiseCertificate" {
        optional bytes details = 1;
        optional bytes signature = 2;
    }

    /// What a certificate says.
    message CertificateDetails = "CertChain.NoiseCertificate.Details" {
        optional uint32 serial = 1;
        optional uint32 issuer_serial = 2;
        optional bytes key = 3;
        optional uint64 not_before = 4;
        optional uint64 not_after = 5;
    }
}
