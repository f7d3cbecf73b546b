# struct Woken(std::sync::atomic::AtomicBool);
# impl std::task::Wake for Woken {
#     fn wake(self: Arc<Woken>) {
#         self.0.store(true, std::sync::atomic::Ordering::Relaxed);
#     }
# }
# impl Woken {
#     fn is_set(&self) -> bool {
#         self.0.load(std::sync::atomic::Ordering::Relaxed)
#     }
# }
# let woken = Arc::new(Woken(false.into()));
# let waker = std::task::Waker::from(woken.clone());