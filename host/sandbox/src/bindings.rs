//! The contract as the host sees it: the only place that generates bindings.
//!
//! Generated types derive `Debug` over values, so they are converted in [`crate::convert`] and never formatted.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "generated code"
)]

/// What a plugin may import.
pub mod imports {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "forge:plugin/imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });
}

pub use imports::forge::plugin::types;

/// One module per interface that a plugin may export, all with the types above.
macro_rules! abilities {
    ($($module:ident = $world:literal),* $(,)?) => {$(
        pub mod $module {
            wasmtime::component::bindgen!({
                path: "../../wit",
                world: $world,
                exports: { default: async },
                with: { "forge:plugin/types": crate::bindings::types },
                require_store_data_send: true,
            });
        }
    )*};
}

abilities! {
    provider = "forge:plugin/provider",
    batch = "forge:plugin/batch",
    metadata = "forge:plugin/metadata",
    writer = "forge:plugin/writer",
    removal = "forge:plugin/removal",
    history = "forge:plugin/history",
    rotation = "forge:plugin/rotation",
}
