//! Pages of `docs/` that are made of the code.

/// Writes a page as the code has it to `target/`, and refuses another one in `docs/`.
pub(crate) fn keep(name: &str, page: &str) {
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = project.join("target").join(name);
    std::fs::create_dir_all(project.join("target")).unwrap();
    std::fs::write(made, page).unwrap();
    let kept = std::fs::read_to_string(project.join("docs").join(name)).unwrap_or_default();
    assert!(kept == page, "docs/{name} is not what the code says: cp target/{name} docs/{name}");
}
