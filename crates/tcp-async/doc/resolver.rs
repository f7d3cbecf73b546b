# #[derive(Clone)]
# struct Addresses(Vec<SocketAddr>);
# impl Addresses {
#     fn of_every_name<const N: usize>(all: [&str; N]) -> Addresses {
#         Addresses(all.iter().map(|a| a.parse().unwrap()).collect())
#     }
# }
# impl Service<hyper_util::client::legacy::connect::dns::Name> for Addresses {
#     type Response = std::vec::IntoIter<SocketAddr>;
#     type Error = std::io::Error;
#     type Future = std::future::Ready<std::io::Result<Self::Response>>;
#     fn poll_ready(
#         &mut self,
#         _: &mut std::task::Context<'_>,
#     ) -> std::task::Poll<std::io::Result<()>> {
#         Ok(()).into()
#     }
#     fn call(&mut self, _: hyper_util::client::legacy::connect::dns::Name) -> Self::Future {
#         std::future::ready(Ok(self.0.clone().into_iter()))
#     }
# }