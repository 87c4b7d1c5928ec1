//! The vCon document.
