"""Addresses over HTTP."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from live.views import GraphQLView
from server.schema import schema

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="graphql")),
    path("graphql/", GraphQLView.as_view(schema=schema), name="graphql"),
    path("login/", LoginView.as_view(template_name="registration/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
