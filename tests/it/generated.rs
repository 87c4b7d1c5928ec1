//! What is generated and checked in is what this program would generate.

use std::path::Path;
use std::process::Command;

#[test]
fn the_schema_that_editors_use_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conserver/core/chains.schema.json");
    let check =
        Command::new(env!("CARGO_BIN_EXE_conserver")).arg("schema").arg("--check").arg(&file).output();
    let output = check.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
