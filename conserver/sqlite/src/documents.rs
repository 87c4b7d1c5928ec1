//! Writing documents within a transaction.

use bytes::Bytes;
use conserver_core::Result;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::VconId;

use crate::session::{Session, growing, sql};
use crate::settle::Terms;

/// Documents of one statement.
const ROWS: usize = 64;

impl Session {
    /// Writes documents; one that is there keeps its time to live, another one gets that of an ingest.
    pub(crate) async fn save_all(&mut self, documents: &[(VconId, Bytes)], terms: Terms) -> Result<()> {
        let expires = (terms.document > 0).then(|| self.now.saturating_add(terms.document));
        for some in documents.chunks(ROWS) {
            let mut save = growing("INSERT INTO document (id, json, expires) ");
            save.push_values(some, |mut row, (id, json)| {
                row.push_bind(id.as_str()).push_bind(&json[..]).push_bind(expires);
            });
            save.push(" ON CONFLICT (id) DO UPDATE SET json = excluded.json, expires = iif(expires <= ");
            save.push_bind(self.now).push(", excluded.expires, expires)");
            self.run(save.build()).await?;
        }
        Ok(())
    }

    /// Writes a document as an ingest does: it replaces what was there, and lives until `expires`.
    pub(crate) async fn put(&mut self, id: &VconId, json: &[u8], expires: Option<i64>) -> Result<()> {
        let put = "INSERT INTO document (id, json, expires) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE \
                   SET json = excluded.json, expires = excluded.expires, expiring = 0";
        self.run(sql(put).bind(id.as_str()).bind(json).bind(expires)).await.map(drop)
    }

    /// Adds search keys.
    pub(crate) async fn index(&mut self, id: &VconId, keys: &IndexKeys, expires: i64) -> Result<()> {
        if let Some(created) = keys.created {
            let list = "INSERT INTO vcons (id, created) VALUES (?, ?) ON CONFLICT (id) DO UPDATE \
                        SET created = excluded.created WHERE created <> excluded.created";
            self.run(sql(list).bind(id.as_str()).bind(created)).await?;
        }
        let all = [("tel", &keys.tel), ("mailto", &keys.mailto), ("name", &keys.name)];
        let pairs: Vec<(&str, &String)> = all
            .into_iter()
            .flat_map(|(kind, values)| values.iter().map(move |value| (kind, value)))
            .collect();
        for some in pairs.chunks(ROWS) {
            let mut add = growing("INSERT INTO found (kind, value, id, expires) ");
            add.push_values(some, |mut row, (kind, value)| {
                row.push_bind(*kind).push_bind(value.as_str()).push_bind(id.as_str()).push_bind(expires);
            });
            add.push(" ON CONFLICT DO UPDATE SET expires = excluded.expires");
            self.run(add.build()).await?;
        }
        Ok(())
    }

    /// Takes a document and its search keys away; answers whether it was there.
    pub(crate) async fn delete(&mut self, id: &VconId) -> Result<bool> {
        let alive = "SELECT 1 FROM document WHERE id = ? AND (expires IS NULL OR expires > ?)";
        let there = self.number(sql(alive).bind(id.as_str()).bind(self.now)).await?.is_some();
        for gone in [
            "DELETE FROM document WHERE id = ?",
            "DELETE FROM vcons WHERE id = ?",
            "DELETE FROM found WHERE id = ?",
        ] {
            self.run(sql(gone).bind(id.as_str())).await?;
        }
        Ok(there)
    }
}
