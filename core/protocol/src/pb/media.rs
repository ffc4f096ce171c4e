//! Asking the phone for a blob that the servers lost (spec section 16).

declare! {
    /// We could not get the blob of this message.
    message ServerErrorReceipt = "ServerErrorReceipt" {
        optional string stanza_id = 1;
    }

    /// The phone's answer.
    message MediaRetryNotification = "MediaRetryNotification" {
        optional string stanza_id = 1;
        optional string direct_path = 2;
        optional enum MediaRetryResult result = 3;
    }

    /// How that went.
    codes MediaRetryResult = "MediaRetryNotification.ResultType" {
        GENERAL_ERROR = 0, SUCCESS = 1, NOT_FOUND = 2, DECRYPTION_ERROR = 3,
    }
}
