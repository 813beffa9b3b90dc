//! The generated face of the contract: one module per world of `wit/worlds.wit`.
//!
//! Generated types print their values with `Debug`, so nothing outside `boundary` and `import` touches
//! them, and nothing ever formats one.
#![allow(
    unsafe_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    clippy::indexing_slicing,
    reason = "generated from the WIT, which carries the documentation"
)]

/// All that a plugin may import; the linker keeps what is called.
pub mod imports {
    wit_bindgen::generate!({ path: "../wit", world: "imports", generate_all });
}

/// One module per exported interface, with the types of `imports`.
macro_rules! exported {
    ($($module:ident = $world:literal),* $(,)?) => {$(
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                with: { "forge:plugin/types@0.1.0": crate::bindings::imports::forge::plugin::types },
                pub_export_macro: true,
            });
        }
    )*};
}

exported!(
    provider = "provider",
    batch = "batch",
    metadata = "metadata",
    writer = "writer",
    removal = "removal",
    history = "history",
    rotation = "rotation",
    keys = "keys",
);
