//! `graph`: the configuration as a drawing in text. Lists are nodes of their own, so that chains that feed chains meet
//! in them.

use std::collections::BTreeMap;
use std::fmt::Write;

use conserver_core::QueueName;
use conserver_core::config::Plan;

use crate::cli::{Global, GraphArgs, GraphFormat};
use crate::config::File;
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &GraphArgs) -> anyhow::Result<Exit> {
    let plan = File::read(global)?.for_looking(wiring)?;
    let graph = Graph::of(wiring, &plan)?;
    output::line(match args.format {
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Dot => graph.dot(),
    });
    Ok(Exit::Ok)
}

/// What a node stands for, and so how it looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    List,
    DeadLetters,
    Link,
    /// In the place of links, where a chain has none.
    Nothing,
    Storage,
}

struct Node {
    kind: Kind,
    label: String,
    /// The chain it belongs to.
    chain: Option<usize>,
}

/// An arrow; a dotted one is a way that is not always taken.
struct Edge {
    from: usize,
    to: usize,
    label: &'static str,
    dotted: bool,
}

#[derive(Default)]
struct Graph {
    chains: Vec<String>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    shared: BTreeMap<(Kind, String), usize>,
}

impl Graph {
    fn of(wiring: &Wiring, plan: &Plan) -> anyhow::Result<Self> {
        let built = wiring.build(plan)?;
        let mut graph = Self::default();
        for chain in &plan.chains {
            let blocked = if chain.blocked.is_some() { " (blocked)" } else { "" };
            graph.chains.push(format!("{}{blocked}", chain.name));
            let here = graph.chains.len() - 1;
            let lists: Vec<usize> = chain.ingress.iter().map(|list| graph.list(list)).collect();
            let mut ends = lists.clone();
            let links = built.chains.iter().find(|built| built.chain.plan.name == chain.name);
            for name in &chain.links {
                let node = graph.node(Kind::Link, name.as_str(), Some(here));
                ends.drain(..).for_each(|from| graph.edge(from, node, "", false));
                let link = links.and_then(|built| built.chain.links.iter().find(|link| link.name() == name));
                for list in link.map(|link| link.feeds()).unwrap_or_default() {
                    let list = graph.list(&list);
                    graph.edge(node, list, "may push", true);
                }
                ends = vec![node];
            }
            if chain.links.is_empty() {
                let node = graph.node(Kind::Nothing, "no links", Some(here));
                ends.drain(..).for_each(|from| graph.edge(from, node, "", false));
                ends = vec![node];
            }
            if !chain.storages.is_empty() {
                let stores: Vec<usize> =
                    chain.storages.iter().map(|name| graph.shared(Kind::Storage, name.as_str())).collect();
                for store in &stores {
                    ends.iter().for_each(|from| graph.edge(*from, *store, "", false));
                }
                // Egress comes after the storages, whichever they are.
                ends = stores;
            }
            for list in &chain.egress {
                let list = graph.list(list);
                // With many storages one arrow says it.
                ends.iter().take(1).for_each(|from| graph.edge(*from, list, "then", false));
            }
            for (list, from) in chain.ingress.iter().zip(lists) {
                let dead = chain.dead_letters(list);
                let dead = graph.shared(Kind::DeadLetters, dead.as_str());
                graph.edge(from, dead, "fails", true);
            }
        }
        Ok(graph)
    }

    fn list(&mut self, list: &QueueName) -> usize {
        self.shared(Kind::List, list.as_str())
    }

    /// One node for all who name it.
    fn shared(&mut self, kind: Kind, label: &str) -> usize {
        if let Some(node) = self.shared.get(&(kind, label.to_owned())) {
            return *node;
        }
        let node = self.node(kind, label, None);
        self.shared.insert((kind, label.to_owned()), node);
        node
    }

    fn node(&mut self, kind: Kind, label: &str, chain: Option<usize>) -> usize {
        self.nodes.push(Node { kind, label: label.to_owned(), chain });
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, label: &'static str, dotted: bool) {
        let is_there = |edge: &Edge| (edge.from, edge.to, edge.label) == (from, to, label);
        if !self.edges.iter().any(is_there) {
            self.edges.push(Edge { from, to, label, dotted });
        }
    }

    fn nodes_of(&self, chain: Option<usize>) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.chain == chain)
    }

    fn mermaid(&self) -> String {
        let node = |n: usize, node: &Node| {
            let (open, close) = match node.kind {
                Kind::List => ("([", "])"),
                Kind::DeadLetters => ("{{", "}}"),
                Kind::Link => ("[", "]"),
                Kind::Nothing => ("(", ")"),
                Kind::Storage => ("[(", ")]"),
            };
            format!("n{n}{open}\"{}\"{close}", mermaid_text(&node.label))
        };
        let mut text = "flowchart LR\n".to_owned();
        for (c, chain) in self.chains.iter().enumerate() {
            let _ = writeln!(text, "  subgraph c{c}[\"{}\"]", mermaid_text(chain));
            for (n, inside) in self.nodes_of(Some(c)) {
                let _ = writeln!(text, "    {}", node(n, inside));
            }
            text.push_str("  end\n");
        }
        for (n, outside) in self.nodes_of(None) {
            let _ = writeln!(text, "  {}", node(n, outside));
        }
        for Edge { from, to, label, dotted } in &self.edges {
            let arrow = if *dotted { "-.->" } else { "-->" };
            let label = if label.is_empty() { String::new() } else { format!("|{label}|") };
            let _ = writeln!(text, "  n{from} {arrow}{label} n{to}");
        }
        text.trim_end().to_owned()
    }

    fn dot(&self) -> String {
        let node = |n: usize, node: &Node| {
            let shape = match node.kind {
                Kind::List => "cds",
                Kind::DeadLetters => "hexagon",
                Kind::Link => "box",
                Kind::Nothing => "plain",
                Kind::Storage => "cylinder",
            };
            format!("n{n} [shape={shape}, label={}];", dot_text(&node.label))
        };
        let mut text = "digraph conserver {\n  rankdir=LR;\n".to_owned();
        for (c, chain) in self.chains.iter().enumerate() {
            let _ = writeln!(text, "  subgraph cluster_{c} {{\n    label={};", dot_text(chain));
            for (n, inside) in self.nodes_of(Some(c)) {
                let _ = writeln!(text, "    {}", node(n, inside));
            }
            text.push_str("  }\n");
        }
        for (n, outside) in self.nodes_of(None) {
            let _ = writeln!(text, "  {}", node(n, outside));
        }
        for Edge { from, to, label, dotted } in &self.edges {
            let style = if *dotted { ", style=dashed" } else { "" };
            let _ = writeln!(text, "  n{from} -> n{to} [label={}{style}];", dot_text(label));
        }
        text.push('}');
        text
    }
}

/// A label between quotes: what means something to Mermaid becomes an entity.
fn mermaid_text(text: &str) -> String {
    let mut safe = String::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '$' => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
            // `fa:fa-car` would be a picture.
            ':' if text[at..].starts_with(":fa-") => safe.push_str("#58;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

fn dot_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " "))
}
