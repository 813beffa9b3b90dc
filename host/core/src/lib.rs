//! What a read is: references, configuration, manifests, grants, the resolver and the rooms it asks on the way.
//!
//! This crate knows no engine, no socket and no command line.
//! The sandbox implements [`provider::SecretProvider`], the command line builds a [`resolver::Resolver`] over it,
//! and everything that decides about a read stands here, where it can be tested by itself.

pub mod audit;
pub mod cache;
pub mod config;
pub mod document;
pub mod field;
pub mod generator;
pub mod grant;
pub mod home;
pub mod keyring;
pub mod kind;
pub mod manifest;
pub mod masking;
pub mod metrics;
pub mod notice;
pub mod parallel;
pub mod policy;
pub mod project;
pub mod provider;
pub mod rate;
pub mod reference;
pub mod resolver;
pub mod route;
pub mod sealing;
pub mod secret;
pub mod setting;
pub mod time;
pub mod trust;

pub use kind::Kind;
