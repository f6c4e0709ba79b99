//! The WeChat Official Account protocol: signatures, encryption, pushes, passive replies and the REST client.
