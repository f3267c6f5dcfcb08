"""How sessions flow through a project: found out (`trace`), and drawn (`mermaid`, `dot`, `page`, `record`)."""
