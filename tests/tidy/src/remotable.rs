//! One message type meets ractor, and one actor type can be reached by a peer.
//!
//! ractor_cluster announces every actor whose message can be serialised to every node. So all actors take
//! `Delivered<M>`, which cannot, and one in `cluster/mesh`, the gateway, takes a message that can.

use crate::Finding;
use crate::exceptions::{Exceptions, OtherMessage, REASON_CHARS};
use crate::source::{Role, Source};
use syn::visit::{self, Visit};

/// The folder of the crate that has the gateway.
const MESH: &str = "cluster/mesh";
/// The file in which `Delivered` is a message of ractor.
const DELIVERED: &str = "runtime/host/src/delivered.rs";
/// The message all other actors take.
const MESSAGE: &str = "Delivered";

/// Every other message type that meets ractor, every remotable type beside the one in the mesh, and every exception
/// that is not needed.
pub fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut gateways = Vec::new();
    let mut needed = Vec::new();
    let shipping = sources
        .iter()
        .filter(|source| matches!(source.role, Role::Shipping | Role::Example));
    for source in shipping {
        for (line, meeting) in meetings(source) {
            let exception = exceptions
                .message
                .iter()
                .find(|other| other.path == source.path && other.name == meeting.name());
            match judge(source, &meeting) {
                Verdict::Fine => {}
                Verdict::Gateway if exception.is_none() => gateways.push(source.finding(line, meeting.name())),
                _ if exception.is_some() => needed.extend(exception),
                Verdict::Gateway => {}
                Verdict::Wrong(what) => findings.push(source.finding(line, what)),
            }
        }
    }
    if gateways.len() != 1 {
        let names: Vec<String> = gateways.iter().map(ToString::to_string).collect();
        let what = format!(
            "has {} remotable message types, expected the gateway's only: {names:?}",
            gateways.len()
        );
        findings.push(Finding::new(MESH, what));
    }
    findings.extend(exceptions.message.iter().filter_map(|other| stale(other, &needed)));
    findings
}

fn stale(other: &OtherMessage, needed: &[&OtherMessage]) -> Option<Finding> {
    let place = format!("{} `{}`", other.path, other.name);
    if !needed.iter().any(|need| std::ptr::eq(*need, other)) {
        Some(Finding::new(place, "needs its exception no longer"))
    } else if other.reason.len() < REASON_CHARS {
        Some(Finding::new(place, "has an exception without a real reason"))
    } else {
        None
    }
}

enum Verdict {
    Fine,
    Gateway,
    Wrong(String),
}

fn judge(source: &Source, meeting: &Meeting) -> Verdict {
    match meeting {
        Meeting::Remotable(_) if source.folder == MESH => Verdict::Gateway,
        Meeting::Remotable(name) => Verdict::Wrong(format!(
            "`{name}` can be sent to peers; only the gateway's message in {MESH} may"
        )),
        Meeting::Local(name) if source.path == DELIVERED && name == MESSAGE => Verdict::Fine,
        Meeting::Local(name) => Verdict::Wrong(format!("`{name}` is a message of ractor; {MESSAGE} is the one")),
        Meeting::Actor(message) if message == MESSAGE => Verdict::Fine,
        // Its type is judged where it becomes a message.
        Meeting::Actor(name) if meetings(source).iter().any(|(_, other)| other.makes(name)) => Verdict::Fine,
        Meeting::Actor(message) => Verdict::Wrong(format!("an actor takes `{message}`, expected `{MESSAGE}<…>`")),
    }
}

fn meetings(source: &Source) -> Vec<(usize, Meeting)> {
    let mut meetings = Meetings {
        found: Vec::new(),
        imports_message: imports_message(source),
    };
    meetings.visit_file(&source.shipped_syntax());
    meetings.found
}

fn imports_message(source: &Source) -> bool {
    let paths = source.shipped_paths();
    paths
        .iter()
        .any(|path| path.starts_with(&["ractor", "Message"]) || path.starts_with(&["ractor", "*"]))
}

/// A place where a type meets ractor.
enum Meeting {
    /// A message type that serialises.
    Remotable(String),
    /// A message type that does not.
    Local(String),
    /// An actor, with the type of its messages.
    Actor(String),
}

impl Meeting {
    fn name(&self) -> &str {
        let (Self::Remotable(name) | Self::Local(name) | Self::Actor(name)) = self;
        name
    }

    /// Whether this is where the type becomes a message.
    fn makes(&self, name: &str) -> bool {
        !matches!(self, Self::Actor(_)) && self.name() == name
    }
}

struct Meetings {
    found: Vec<(usize, Meeting)>,
    imports_message: bool,
}

impl Meetings {
    fn derives(&mut self, ident: &syn::Ident, attributes: &[syn::Attribute]) {
        let line = ident.span().start().line;
        let derives = attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("derive"));
        for path in
            derives.flat_map(|attribute| crate::tokens::paths(&quote::ToTokens::to_token_stream(&attribute.meta)))
        {
            if path.ends_with(&["RactorClusterMessage"]) {
                self.found.push((line, Meeting::Remotable(ident.to_string())));
            } else if path.ends_with(&["RactorMessage"]) {
                self.found.push((line, Meeting::Local(ident.to_string())));
            }
        }
    }

    fn is_ractor_message(&self, path: &syn::Path) -> bool {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        match names.as_slice() {
            [one] => one == "Message" && self.imports_message,
            [.., parent, last] => parent == "ractor" && last == "Message",
            [] => false,
        }
    }
}

impl<'ast> Visit<'ast> for Meetings {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.derives(&item.ident, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.derives(&item.ident, &item.attrs);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let Some((_, path, _)) = &item.trait_ else {
            return visit::visit_item_impl(self, item);
        };
        let line = item.impl_token.span.start().line;
        let last = path
            .segments
            .last()
            .map_or_else(String::new, |segment| segment.ident.to_string());
        if self.is_ractor_message(path) {
            let serialises = item.items.iter().any(|inner| is_function(inner, "serializable"));
            let name = type_name(&item.self_ty);
            let meeting = if serialises {
                Meeting::Remotable(name)
            } else {
                Meeting::Local(name)
            };
            self.found.push((line, meeting));
        } else if last == "BytesConvertable" {
            // ractor makes every such type a message that serialises.
            self.found.push((line, Meeting::Remotable(type_name(&item.self_ty))));
        } else if last == "Actor" || last == "ThreadLocalActor" {
            for inner in &item.items {
                if let syn::ImplItem::Type(associated) = inner
                    && associated.ident == "Msg"
                {
                    let line = associated.type_token.span.start().line;
                    // An actor around another takes what that one takes: `type Msg = A::Msg`.
                    if !is_inner_message(&associated.ty, &item.generics) {
                        self.found.push((line, Meeting::Actor(type_name(&associated.ty))));
                    }
                }
            }
        }
        visit::visit_item_impl(self, item);
    }
}

fn is_function(item: &syn::ImplItem, name: &str) -> bool {
    matches!(item, syn::ImplItem::Fn(function) if function.sig.ident == name)
}

/// Whether the type is `A::Msg` for a parameter `A`.
fn is_inner_message(ty: &syn::Type, generics: &syn::Generics) -> bool {
    let syn::Type::Path(path) = ty else { return false };
    let segments: Vec<&syn::Ident> = path.path.segments.iter().map(|segment| &segment.ident).collect();
    match segments.as_slice() {
        [parameter, message] => *message == "Msg" && generics.type_params().any(|own| own.ident == **parameter),
        _ => false,
    }
}

/// The last segment of a type's path, without its parameters.
fn type_name(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or_else(String::new, |last| last.ident.to_string()),
        other => quote::ToTokens::to_token_stream(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str = "impl ractor::Message for Frame { fn serializable() -> bool { true } }
        impl Actor for Gateway { type Msg = Frame; }";

    fn source(path: &str, code: &str) -> Source {
        let folder: Vec<&str> = path.split('/').take(2).collect();
        Source::new(path, &folder.join("/"), Role::Shipping, code).unwrap()
    }

    /// What is found in a file beside a mesh with its gateway.
    fn found(path: &str, code: &str, exceptions: &str) -> Vec<String> {
        let sources = [source("cluster/mesh/src/gateway.rs", GATEWAY), source(path, code)];
        let findings = check(&sources, &Exceptions::parse(exceptions).unwrap());
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_remotable_type_outside_the_mesh_is_found() {
        for code in [
            "impl ractor::Message for Open { fn serializable() -> bool { true } }",
            "#[derive(Debug, ractor_cluster::RactorClusterMessage)] enum Open { A }",
            "use ractor_cluster::RactorClusterMessage; #[derive(RactorClusterMessage)] struct Open;",
            "use ractor::Message; impl Message for Open { fn serializable() -> bool { true } }",
            "impl ractor::BytesConvertable for Open {}",
        ] {
            let found = found("actors/agent/src/a.rs", code, "");
            assert_eq!(
                found,
                [
                    "actors/agent/src/a.rs:1: `Open` can be sent to peers; only the gateway's message in cluster/mesh may"
                ],
                "{code}"
            );
        }
    }

    #[test]
    fn the_mesh_has_exactly_one() {
        assert!(found("cluster/mesh/src/a.rs", "", "").is_empty());
        let second = "#[derive(RactorClusterMessage)] enum Open { A }";
        let found = found("cluster/mesh/src/a.rs", second, "");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("cluster/mesh: has 2 remotable message types"),
            "{found:?}"
        );
        let none = check(&[source("cluster/mesh/src/a.rs", "")], &Exceptions::default());
        assert!(none[0].what.starts_with("has 0 remotable message types"), "{none:?}");
    }

    #[test]
    fn another_message_type_is_found() {
        for code in [
            "impl ractor::Message for Command {}",
            "use ractor::{Actor, Message}; impl Message for Command {}",
            "#[derive(RactorMessage)] enum Command { A }",
        ] {
            assert_eq!(
                found("cluster/mesh/src/a.rs", code, ""),
                ["cluster/mesh/src/a.rs:1: `Command` is a message of ractor; Delivered is the one"],
                "{code}"
            );
        }
        assert!(
            found(
                DELIVERED,
                "impl<M: Send + 'static> ractor::Message for Delivered<M> {}",
                ""
            )
            .is_empty()
        );
        assert!(found("actors/agent/src/a.rs", "impl Message for Command {}", "").is_empty());
    }

    #[test]
    fn an_actor_with_another_message_is_found() {
        let actor = |message| format!("impl Actor for A {{ type Msg = {message}; }}");
        for fine in ["Delivered<Command>", "rungs_host::Delivered<Command>"] {
            assert!(found("actors/agent/src/a.rs", &actor(fine), "").is_empty());
        }
        for wrong in ["Command", "()", "A::Msg"] {
            for path in ["actors/agent/src/a.rs", "cluster/mesh/src/a.rs"] {
                assert_eq!(found(path, &actor(wrong), "").len(), 1, "{wrong}");
            }
        }
    }

    #[test]
    fn an_actor_around_another_takes_what_that_one_takes() {
        let code = "impl<A: Actor> Actor for Hosted<A> { type Msg = A::Msg; }";
        assert!(found("runtime/host/src/a.rs", code, "").is_empty());
    }

    #[test]
    fn an_exception_counts_while_it_is_needed_and_has_a_reason() {
        let exception =
            |name, reason| format!("[[message]]\npath = 'cluster/mesh/src/a.rs'\nname = '{name}'\nreason = '{reason}'");
        let code = "#[derive(RactorClusterMessage)] enum Raw { A } impl Actor for B { type Msg = Raw; }";
        let reason = "the baseline that is measured is ractor as it comes";
        assert!(found("cluster/mesh/src/a.rs", code, &exception("Raw", reason)).is_empty());
        assert_eq!(
            found("cluster/mesh/src/a.rs", code, &exception("Raw", "speed")),
            ["cluster/mesh/src/a.rs `Raw`: has an exception without a real reason"]
        );
        assert_eq!(
            found("cluster/mesh/src/a.rs", "", &exception("Raw", reason)),
            ["cluster/mesh/src/a.rs `Raw`: needs its exception no longer"]
        );
    }
}
