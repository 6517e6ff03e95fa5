//! Contracts that cannot be served, refused with the names of what is wrong.

use gateway::{Error, Gateway, Options};

use crate::support::compile_in;

/// What a gateway says of a contract with these RPCs.
fn refused(rpcs: &str) -> String {
    let folder = Folder::new();
    let text = format!(
        "syntax = \"proto3\"; package wrong.v1;\n\
         import \"google/api/annotations.proto\"; import \"tradewind/mesh/v1/rpc.proto\";\n\
         message M {{ string name = 1; M inner = 2; repeated string many = 3; }}\n\
         service S {{ {rpcs} }}"
    );
    std::fs::write(folder.0.join("wrong.proto"), text).unwrap();
    let descriptors = compile_in(&folder.0, "wrong.proto");
    Gateway::new(&[&descriptors], |_| None, Options::default()).unwrap_err().to_string()
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("gateway-contracts-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn rpc(name: &str, rule: &str) -> String {
    format!(
        "rpc {name}(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; \
         option (tradewind.mesh.v1.rpc) = {{ access: ACCESS_PUBLIC deadline_ms: 1 rate: RATE_READ }}; }}"
    )
}

#[test]
fn two_rpcs_for_the_same_requests_are_both_named() {
    let both = rpc("A", r#"get: "/v1/{name}""#) + &rpc("B", r#"get: "/v1/{inner.name=*}""#);

    let error = refused(&both);

    assert_eq!(error, "wrong.v1.S.A and wrong.v1.S.B both answer GET /v1/{inner.name=*}");
}

#[test]
fn a_mapping_that_is_wrong_is_told_with_its_rpc() {
    for (rule, problem) in [
        (r#"get: "v1""#, "must begin with `/`"),
        ("", "must begin with `/`"),
        (r#"get: "/{nope}""#, "has a variable `nope` that is not a field of the request"),
        (r#"get: "/{inner}""#, "has a variable `inner` that cannot be given as text"),
        (r#"get: "/{many}""#, "has a variable `many` that is repeated"),
        (r#"get: "/v1" body: "*""#, "is a GET with a body"),
        (r#"post: "/v1" body: "nope""#, "has a body `nope` that is no field"),
        (r#"get: "/v1" response_body: "nope""#, "has a response body `nope` that is no field"),
        (
            r#"get: "/v1" additional_bindings { get: "/v2" additional_bindings { get: "/v3" } }"#,
            "is additional and has additional bindings of its own",
        ),
    ] {
        let error = refused(&rpc("A", rule));
        assert!(error.starts_with("wrong.v1.S.A: the HTTP mapping `"), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn bytes_that_are_no_descriptors_are_refused() {
    let error = Gateway::new(&[b"nope"], |_| None, Options::default()).unwrap_err();

    assert!(matches!(error, Error::Descriptors(_)));
}
