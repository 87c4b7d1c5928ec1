//! Whether our user of the server may do what we do: asked before, rather than learned from a vCon that does not move.

use conserver_core::backend::{Advice, Gravity};
use conserver_core::{ErrorKind, QueueName, Result};

use crate::queue::RedisQueue;
use crate::reply::texts;

const ADVICE: &str = "give our user `+@all ~*` on a Redis of its own; else these commands and keys, those that begin with `cs:`, and `vcon:*`";

impl RedisQueue {
    /// Whether scripts, and commands like those in them, may be used on documents, on our own keys and on these lists.
    pub(crate) async fn rights_on(&self, lists: &[QueueName]) -> Result<Vec<Advice>> {
        let mut look = self.scripts.rights.eval();
        for parts in wanted(lists) {
            look.arg(parts.len()).arg(parts);
        }
        let answer = match self.client.command("look at our rights", &look).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                return Ok(vec![Advice::new(Gravity::Fatal, "rights", error.chain(), ADVICE)]);
            }
            answer => answer?,
        };
        let refused = texts(answer, "our rights")?;
        Ok(vec![if refused.is_empty() {
            Advice::new(Gravity::Good, "rights", "the user has all needed rights", "")
        } else {
            let found = format!("the user lacks rights: {}", refused.join(", "));
            Advice::new(Gravity::Warning, "rights", found, ADVICE)
        }])
    }
}

/// One command of each sort, and each list.
fn wanted(lists: &[QueueName]) -> Vec<Vec<&str>> {
    let mut commands = vec![
        vec!["MULTI"],
        vec!["EXEC"],
        vec!["SCRIPT", "LOAD", "x"],
        vec!["GET", "vcon:id"],
        vec!["SET", "vcon:id", "x"],
        vec!["DEL", "vcon:id"],
        vec!["PEXPIRE", "vcon:id", "1"],
        vec!["HSET", "cs:x", "x", "x"],
        vec!["ZADD", "cs:x", "1", "x"],
        vec!["SADD", "cs:x", "x"],
        vec!["XADD", "cs:x", "*", "x", "x"],
        vec!["RENAME", "cs:x", "cs:y"],
    ];
    for list in lists {
        commands.push(vec!["LPOP", list.as_str()]);
        commands.push(vec!["RPUSH", list.as_str(), "x"]);
    }
    commands
}
