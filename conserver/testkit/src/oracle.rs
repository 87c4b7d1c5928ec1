//! Whether what was promised was kept.
//!
//! Every id that a server took over is owed one end. After the faults have stopped, a test collects the evidence
//! from servers and folders, and the oracle compares: nothing lost, nothing doubled, nothing dead, nothing left
//! behind, and every copy of every document the right one. It does no I/O, so it can be tested itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::json::same;

/// What is owed.
#[derive(Debug, Default)]
pub struct Oracle {
    owed: BTreeMap<String, Value>,
    /// Pushed without a reply: such an id may be there or not.
    uncertain: BTreeMap<String, Value>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The ids of the egress list, in order.
    pub egress: Vec<String>,
    /// Dead letters: list and id.
    pub dead: Vec<(String, String)>,
    /// Keys that ought to be empty, with their number of entries.
    pub left: Vec<(String, usize)>,
    /// Copies of documents: where, and by id.
    pub copies: Vec<(String, HashMap<String, Value>)>,
}

impl Oracle {
    /// The server has taken this id over; its document should end like this.
    pub fn owe(&mut self, id: &str, document: Value) {
        self.owed.insert(id.to_owned(), document);
    }

    /// Nobody knows whether the server has taken this id over.
    pub fn may_owe(&mut self, id: &str, document: Value) {
        self.uncertain.insert(id.to_owned(), document);
    }

    /// How many ids are owed.
    pub fn count(&self) -> usize {
        self.owed.len()
    }

    /// How many of the owed ids are not among these.
    pub fn missing(&self, ids: &[String]) -> usize {
        let ids: BTreeSet<&String> = ids.iter().collect();
        self.owed.keys().filter(|id| !ids.contains(id)).count()
    }

    /// What was not kept, one line each; nothing if all is well.
    pub fn judge(&self, evidence: &Evidence) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &evidence.egress {
            *seen.entry(id).or_default() += 1;
        }
        for (id, times) in &seen {
            if *times > 1 {
                wrong.push(format!("doubled: {id} is {times} times in the egress list"));
            }
            if !self.owed.contains_key(*id) && !self.uncertain.contains_key(*id) {
                wrong.push(format!("invented: nobody pushed {id}"));
            }
        }
        for id in self.owed.keys().filter(|id| !seen.contains_key(id.as_str())) {
            wrong.push(format!("lost: {id} is not in the egress list"));
        }
        wrong.extend(evidence.dead.iter().map(|(list, id)| format!("dead: {id} is in `{list}`")));
        let left = evidence.left.iter().filter(|(_, entries)| *entries > 0);
        wrong.extend(left.map(|(key, entries)| format!("left: `{key}` has {entries} entries")));
        let uncertain = self.uncertain.iter().filter(|(id, _)| seen.contains_key(id.as_str()));
        for (id, document) in self.owed.iter().chain(uncertain) {
            for (place, copies) in &evidence.copies {
                match copies.get(id) {
                    None => wrong.push(format!("no copy: {place} has no {id}")),
                    Some(copy) if !same(copy, document) => {
                        wrong.push(format!("wrong copy: {place} has {id} as {copy}, not {document}"));
                    }
                    Some(_) => {}
                }
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn oracle() -> Oracle {
        let mut oracle = Oracle::default();
        oracle.owe("a", json!({"n": 1}));
        oracle.owe("b", json!({"n": 2}));
        oracle.may_owe("c", json!({"n": 3}));
        oracle
    }

    fn evidence() -> Evidence {
        let copies = [("a".to_owned(), json!({"n": 1})), ("b".to_owned(), json!({"n": 2}))];
        Evidence {
            egress: vec!["b".to_owned(), "a".to_owned()],
            copies: vec![("here".to_owned(), HashMap::from(copies))],
            left: vec![("busy".to_owned(), 0)],
            dead: Vec::new(),
        }
    }

    #[test]
    fn what_was_kept_is_kept() {
        assert_eq!(oracle().judge(&evidence()), Vec::<String>::new());
        assert_eq!(oracle().missing(&["a".to_owned()]), 1);
    }

    #[test]
    fn whatever_is_broken_is_told() {
        let told = |change: &dyn Fn(&mut Evidence)| {
            let mut evidence = evidence();
            change(&mut evidence);
            let wrong = oracle().judge(&evidence);
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            wrong[0].split(':').next().unwrap_or_default().to_owned()
        };
        assert_eq!(told(&|e| drop(e.egress.pop())), "lost");
        assert_eq!(told(&|e| e.egress.push("a".to_owned())), "doubled");
        assert_eq!(told(&|e| e.egress.push("x".to_owned())), "invented");
        assert_eq!(told(&|e| e.dead.push(("DLQ:in".to_owned(), "a".to_owned()))), "dead");
        assert_eq!(told(&|e| e.left[0].1 = 2), "left");
        assert_eq!(told(&|e| drop(e.copies[0].1.remove("a"))), "no copy");
        assert_eq!(told(&|e| drop(e.copies[0].1.insert("a".to_owned(), json!({"n": 9})))), "wrong copy");
    }

    #[test]
    fn an_uncertain_id_may_be_there_once_and_then_with_its_document() {
        let mut found = evidence();
        found.egress.push("c".to_owned());
        assert_eq!(oracle().judge(&found).len(), 1);
        found.copies[0].1.insert("c".to_owned(), json!({"n": 3}));
        assert_eq!(oracle().judge(&found), Vec::<String>::new());
    }
}
