//! The Tencent Cloud IM protocol: UserSig, webhooks, message elements and the REST client.
