"""Addresses over HTTP."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from server.schema import schema
from server.views import GraphQLView, metrics

admin.site.site_header = admin.site.site_title = "Wardcast"

handler500 = "server.unavailable.failed"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="graphql")),
    path("graphql/", GraphQLView.as_view(schema=schema), name="graphql"),
    path("login/", LoginView.as_view(template_name="registration/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("metrics", metrics, name="metrics"),
    # The texts of pages' scripts, in the reader's language.
    path("jsi18n/", JavaScriptCatalog.as_view(), name="jsi18n"),
    # Browsers ask for it wherever a page names none, as the admin does.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("server/icon.svg"))),
]
