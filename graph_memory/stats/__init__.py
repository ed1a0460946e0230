"""What memory used, saved and cost: a recorder that a graph is given, its report, and alerts on spending.

Figures and ids only; no text of a memory or a message is kept here.
"""

from graph_memory.stats.alerts import BudgetAlert as BudgetAlert
from graph_memory.stats.alerts import Spending as Spending
from graph_memory.stats.events import Call as Call
from graph_memory.stats.events import CompressionFigures as CompressionFigures
from graph_memory.stats.events import Decision as Decision
from graph_memory.stats.events import Granted as Granted
from graph_memory.stats.recorder import Stats as Stats
from graph_memory.stats.report import ShareTotals as ShareTotals
from graph_memory.stats.report import StatsReport as StatsReport
from graph_memory.stats.report import UsageTotals as UsageTotals
