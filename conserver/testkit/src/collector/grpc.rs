//! The collector's gRPC side.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::Received;
use crate::certificate::Certificate;

#[derive(Clone)]
struct Service(Arc<Mutex<Received>>);

impl Service {
    fn keep<T>(&self, request: &Request<T>, take: impl FnOnce(&mut Received)) {
        let mut received = self.0.lock().expect("nothing panics while it holds this lock");
        let headers = request.metadata().clone().into_headers();
        received.headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        take(&mut received);
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let traces = request.get_ref().clone();
        self.keep(&request, |received| received.take_traces(traces));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let metrics = request.get_ref().clone();
        self.keep(&request, |received| received.take_metrics(metrics));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// Serves until the process ends.
pub(super) fn serve(listener: TcpListener, received: Arc<Mutex<Received>>, certificate: Option<Certificate>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        let service = Service(received);
        let mut server = Server::builder();
        if let Some(files) = certificate {
            let read = |path| std::fs::read(path).expect("a certificate of ours can be read");
            let identity = Identity::from_pem(read(&files.cert), read(&files.key));
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).expect("TLS can be set up");
        }
        server
            .add_service(TraceServiceServer::new(service.clone()))
            .add_service(MetricsServiceServer::new(service))
            .serve_with_incoming(TcpIncoming::from(listener))
            .await
            .expect("the collector serves");
    });
}
