# // A task that counts how often it is woken, its waker and its context.
# use std::sync::Arc;
# use std::sync::atomic::{AtomicUsize, Ordering};
# use std::task::{Context, Poll, Wake, Waker};
# #[derive(Default)]
# struct Task(AtomicUsize);
# impl Wake for Task {
#     fn wake(self: Arc<Task>) {
#         self.0.fetch_add(1, Ordering::SeqCst);
#     }
# }
# impl Task {
#     // Since it was last asked.
#     fn wakes(&self) -> usize {
#         self.0.swap(0, Ordering::SeqCst)
#     }
# }
# let task = Arc::new(Task::default());
# let waker = Waker::from(task.clone());
# let cx = &mut Context::from_waker(&waker);
