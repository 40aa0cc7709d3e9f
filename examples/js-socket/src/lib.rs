//! Kafka from a JS engine: a producer for JS, over a transport of the byte streams that the engine has (`transport.rs`).
//!
//! ```js
//! import { connect } from "cloudflare:sockets";
//! const kafka = await Kafka.connect("broker:9092", (hostname, port) => connect({ hostname, port }));
//! const { partition, offset } = await kafka.send("orders", "42", new TextEncoder().encode("{}"));
//! await kafka.close();
//! ```
//! `node.mjs` does the same with node's sockets.

mod transport;

use js_sys::{Function, Promise};
use klamm::{Client, Codec, Config, Producer, Record};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// A connection to a cluster, and a producer of it.
#[wasm_bindgen]
pub struct Kafka {
    client: Client,
    producer: Producer,
    /// The driver, which the engine polls.
    driver: Promise,
}

/// Where an acknowledged record is.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
}

#[wasm_bindgen]
impl Kafka {
    /// Connects. `connect(host, port)` answers a socket, not a promise of one: an object with `readable` and `writable` (streams of
    /// bytes), `opened` (a promise), and `close()`.
    pub async fn connect(bootstrap: String, connect: Function) -> Result<Kafka, JsError> {
        let config = Config::new(bootstrap).memory_total(4 << 20);
        let (client, driver) = klamm::new(config, transport::JsSockets::new(connect))?;
        let driver = future_to_promise(async {
            driver.await;
            Ok(JsValue::UNDEFINED)
        });
        client.connected().await?;
        let producer = client.producer().compression(Codec::Lz4).batch_bytes(256 << 10).build()?;
        Ok(Kafka { client, producer, driver })
    }

    /// Sends a record, and waits until the cluster has acknowledged it. Many may be under way at once: they go together. At most
    /// 1,024 may wait for the topic or for room; others fail at once.
    pub async fn send(&self, topic: String, key: Option<String>, value: Vec<u8>) -> Result<Place, JsError> {
        let record = Record::to(&topic).value(&*value);
        let record = if let Some(key) = &key { record.key(&**key) } else { record };
        let at = self.producer.send(record).await?;
        Ok(Place { partition: at.partition(), offset: at.offset() })
    }

    /// Ends, after what is under way; its sockets are closed then.
    pub async fn close(self) -> Result<(), JsValue> {
        drop((self.client, self.producer));
        JsFuture::from(self.driver).await.map(drop)
    }
}
