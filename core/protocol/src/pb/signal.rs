//! The bodies of Signal messages, without version byte, MAC or signature (spec sections 7.4, 7.5).

declare! {
    /// Body of `<enc type="msg">`.
    message SignalMessage = "SignalMessage" {
        optional bytes ratchet_key = 1;
        optional uint32 counter = 2;
        optional uint32 previous_counter = 3;
        optional bytes ciphertext = 4;
    }

    /// Body of `<enc type="pkmsg">`; `message` is a whole `msg`.
    message PreKeySignalMessage = "PreKeySignalMessage" {
        optional uint32 pre_key_id = 1;
        optional bytes base_key = 2;
        optional bytes identity_key = 3;
        optional bytes message = 4;
        optional uint32 registration_id = 5;
        optional uint32 signed_pre_key_id = 6;
    }

    /// Body of `<enc type="skmsg">`.
    message SenderKeyMessage = "SenderKeyMessage" {
        optional uint32 id = 1;
        optional uint32 iteration = 2;
        optional bytes ciphertext = 3;
    }

    /// A sender key for the members of a group.
    message SenderKeyDistribution = "SenderKeyDistributionMessage" {
        optional uint32 id = 1;
        optional uint32 iteration = 2;
        optional bytes chain_key = 3;
        optional bytes signing_key = 4;
    }
}
