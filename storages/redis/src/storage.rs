//! The contract. Each command refuses a key of another type by itself: `SET … GET` rather than `SET`, which would write
//! over it, and `GETDEL` rather than `DEL`.

use async_trait::async_trait;
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Limits, Vcon, VconId, View};
use conserver_core::{Error, ErrorKind, Result, Secret};
use conserver_redis::{Client, classify};
use redis::{Cmd, Value};

use crate::error::{about_vcon, too_large};
use crate::options::RedisStorageOptions;

/// How many vCons one save takes.
const MAX_BATCH: usize = 256;

/// vCons in keys with a common prefix.
pub struct Keys {
    client: Client,
    prefix: String,
    lifetime: Option<u64>,
    max_size: u64,
}

impl Keys {
    /// A storage on the Redis at this address. Nothing is connected yet.
    ///
    /// # Errors
    /// `Invalid` if the address cannot be read.
    pub fn new(address: &Secret, options: &RedisStorageOptions) -> Result<Self> {
        Ok(Self {
            client: Client::new(address, options.response_timeout)?,
            prefix: options.prefix.clone(),
            lifetime: options.lifetime(),
            max_size: options.max_size,
        })
    }

    fn key(&self, id: &VconId) -> String {
        format!("{}:{id}", self.prefix)
    }

    /// Writes a value where there is none or another text. What was there is answered, which is nothing at a first save.
    fn set(&self, key: &[u8], value: &[u8]) -> Cmd {
        let mut command = Cmd::with_capacity(6, key.len() + value.len() + 32);
        command.arg("SET").arg(key).arg(value).arg("GET");
        if let Some(lifetime) = self.lifetime {
            command.arg("PX").arg(lifetime);
        }
        command
    }

    fn set_vcon(&self, vcon: &Vcon) -> Result<Cmd> {
        let json = vcon.render(View::Read);
        if json.len() as u64 > self.max_size {
            return Err(too_large(json.len(), self.max_size));
        }
        Ok(self.set(self.key(vcon.id()).as_bytes(), &json))
    }
}

#[async_trait]
impl Storage for Keys {
    fn info(&self) -> StorageInfo {
        StorageInfo::new("redis_storage").batch(MAX_BATCH)
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        let mut pipeline = redis::pipe();
        let mut results = Vec::with_capacity(batch.len());
        for vcon in batch {
            results.push(self.set_vcon(vcon).map(|command| {
                pipeline.add_command(command);
            }));
        }
        let sent = results.iter_mut().filter(|result| result.is_ok());
        match self.client.pipeline("save", &pipeline).await {
            Ok(answers) => {
                let answers = answers.into_iter().map(Some).chain(std::iter::repeat(None));
                sent.zip(answers).for_each(|(result, answer)| *result = saved(answer));
            }
            Err(error) => {
                let error = about_vcon(error);
                sent.for_each(|result| *result = Err(error.repeat()));
            }
        }
        results
    }

    async fn get(&self, id: &VconId) -> Result<Option<Vcon>> {
        let answer = self.client.command("read", redis::cmd("GET").arg(self.key(id))).await;
        let Value::BulkString(json) = answer.map_err(about_vcon)? else { return Ok(None) };
        let vcon = Vcon::parse(id.clone(), json.into(), &Limits::default());
        vcon.map(Some).map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("the key `{}` holds no vCon", self.key(id))).source(error)
        })
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        let answer = self.client.command("delete", redis::cmd("GETDEL").arg(self.key(id))).await;
        answer.map(|was| was != Value::Nil).map_err(about_vcon)
    }

    async fn check(&self) -> Result<()> {
        // A write that the server weighs like any other and that never takes place: only a key that exists would be
        // written, and this one is the key of no id, for ids are UTF-8.
        let key = [self.prefix.as_bytes(), b":\xff"].concat();
        let mut write = self.set(&key, b"");
        self.client.command("check", write.arg("XX")).await.map(drop).map_err(about_vcon)
    }
}

/// What the answer to `SET … GET` says: the text that was there, nothing, or an error.
fn saved(answer: Option<Value>) -> Result<()> {
    match answer {
        Some(Value::BulkString(_) | Value::Nil) => Ok(()),
        Some(Value::ServerError(error)) => Err(about_vcon(classify("save", error.into()))),
        _ => Err(Error::new(ErrorKind::Unavailable, "Redis did not answer whether a vCon was saved")),
    }
}
